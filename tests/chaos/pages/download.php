<?php
// Sends as many bytes as asked for, in pieces; each byte tells where it belongs.
require __DIR__ . '/begin.php';
header('Content-Type: application/octet-stream');
for ($block = 0, $left = (int) $_GET['bytes']; $left > 0; $block++, $left -= 4096) {
    echo substr(str_repeat(hash('fnv1a64', "{$_GET['id']}:$block"), 256), 0, $left);
    if ($block % 16 === 15) {
        flush();
    }
}
