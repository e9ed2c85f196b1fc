<?php
// Three hundred kilobytes in pieces.
for ($n = 0; $n < 30; ++$n) {
    echo str_repeat('x', 10240);
}
