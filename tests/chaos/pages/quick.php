<?php
// A script that waits as for a database, the whole time and not less.
require __DIR__ . '/begin.php';
$begun = hrtime(true);
usleep(1000 * (int) $_GET['ms']);
$took = (hrtime(true) - $begun) / 1e6;
echo $took >= $_GET['ms'] ? "quick {$_GET['id']}" : "cut short after $took ms";
