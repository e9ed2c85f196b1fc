<?php
// Answers with the fingerprint of the body, read in pieces.
$length = 0;
$hash = hash_init('fnv1a32');
$input = fopen('php://input', 'rb');
while (($piece = fread($input, 8192)) !== '' && $piece !== false) {
    $length += strlen($piece);
    hash_update($hash, $piece);
}
echo $length, ' ', hash_final($hash);
