<?php
// Tells what has arrived of an upload.
require __DIR__ . '/begin.php';
$body = file_get_contents('php://input');
echo "upload {$_GET['id']} ", strlen($body), ' ', hash('fnv1a64', $body);
