<?php
// Several milliseconds of ordinary work: arrays, strings, sorting, a regular expression, hashing.
$words = [];
for ($i = 0; $i < 8000; $i++) {
    $words[] = substr(md5((string) $i), 0, 8);
}
sort($words);
$found = preg_grep('/^[a-f]+[0-9]/', $words);
$groups = [];
foreach ($words as $word) {
    $groups[$word[0]][] = strrev(strtoupper($word));
}
ksort($groups);
$text = json_encode(array_map('count', $groups));
echo count($found), ' ', strlen($text), ' ', hash('sha256', implode(',', $words)), "\n";
