<?php
// Extensions with memory of their own: SQLite, DOM, PCRE, JSON.
$base = new PDO('sqlite::memory:');
$base->exec('CREATE TABLE t (n INTEGER)');
$base->exec('INSERT INTO t VALUES (40), (2)');
$sum = $base->query('SELECT sum(n) FROM t')->fetchColumn();
$document = new DOMDocument();
$document->loadXML('<b>' . $sum . '</b>');
preg_match('/\d+/', json_encode(['sum' => (int) $sum]), $found);
echo $found[0], ' ', $document->saveXML($document->documentElement);
