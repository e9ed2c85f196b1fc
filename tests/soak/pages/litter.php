<?php
// Leaves everything open, changed and registered.
putenv('LITTER=' . str_repeat('x', 500));
ini_set('precision', '3');
setlocale(LC_ALL, 'C.UTF-8');
date_default_timezone_set('Asia/Tokyo');
mb_internal_encoding('UTF-8');
chdir('/');
umask(0);
set_error_handler(static fn () => true);
set_exception_handler(static fn () => true);
register_shutdown_function(static fn () => clearstatcache());
spl_autoload_register(static fn () => null);
$file = tmpfile();
flock($file, LOCK_EX);
$GLOBALS['pair'] = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0);
$GLOBALS['folder'] = opendir(__DIR__);
$cycle = new stdClass();
$cycle->self = $cycle;
$cycle->weight = str_repeat('x', 5000);
ob_start(static fn (string $text) => strtolower($text));
ob_start();
echo 'LITTERED';
