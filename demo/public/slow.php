<?php
// A page that takes its time: the given number of seconds, half a second to ten.
declare(strict_types=1);
require __DIR__ . '/../lib/page.php';

$asked = $_GET['seconds'] ?? '2';
$seconds = is_numeric($asked) ? max(0.5, min(10.0, (float) $asked)) : 2.0;
$until = microtime(true) + $seconds;
while (($left = $until - microtime(true)) > 0) {
    usleep((int) ($left * 1e6) + 1);
}
sendHeaders('text/plain; charset=UTF-8');
printf("worker %d of pool %s slept %.1f s\n", getmypid(), poolName(), $seconds);
