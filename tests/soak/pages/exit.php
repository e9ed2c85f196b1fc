<?php
// Ends early; what was registered for the end still runs.
register_shutdown_function(static function () {
    echo 'after';
});
echo 'before, ';
exit;
