<?php
// Answers with the fingerprint of two equal uploads; one is moved, the other left to PHP, held open.
$content = file_get_contents($_FILES['one']['tmp_name']);
$GLOBALS['held'] = fopen($_FILES['two']['tmp_name'], 'rb');
$target = tempnam(sys_get_temp_dir(), 'moved');
$moved = move_uploaded_file($_FILES['one']['tmp_name'], $target) && file_get_contents($target) === $content;
unlink($target);
if (!$moved || stream_get_contents($GLOBALS['held']) !== $content) {
    http_response_code(500);
}
echo strlen($content), ' ', hash('fnv1a32', $content);
