<?php
// Dies of the memory limit.
ini_set('display_errors', '0');
ini_set('memory_limit', '6M');
for ($hoard = [];;) {
    $hoard[] = str_repeat('x', 50000);
}
