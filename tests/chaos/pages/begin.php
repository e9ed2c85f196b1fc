<?php
// Notes which worker runs which request before anything can go wrong, and tells the client.
header('X-Worker: ' . getmypid());
if (isset($_SERVER['CHAOS_JOURNAL'])) {
    file_put_contents($_SERVER['CHAOS_JOURNAL'], $_GET['id'] . ' ' . getmypid() . "\n", FILE_APPEND);
}
