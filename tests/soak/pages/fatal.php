<?php
// Dies of a fatal error with an output buffer, a handler and a temporary file open.
ini_set('display_errors', '0');
ob_start();
set_error_handler(static fn () => false);
$file = tmpfile();
echo str_repeat('x', 10000);
ob_end_clean();
no_such_function();
