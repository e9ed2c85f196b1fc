<?php
// Includes thirty files that OPcache holds; they are made by the test.
$sum = 0;
for ($n = 0; $n < 30; ++$n) {
    $sum += require __DIR__ . "/parts/part$n.php";
}
echo $sum;
