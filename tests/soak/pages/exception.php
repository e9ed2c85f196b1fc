<?php
// Dies of an exception that nobody catches, from some depth.
ini_set('display_errors', '0');
function deeper(int $left): never
{
    try {
        $left === 0 ? throw new RuntimeException('the bottom') : deeper($left - 1);
    } finally {
        $trash = str_repeat('x', 100);
    }
}
deeper(50);
