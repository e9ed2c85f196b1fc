<?php
// Works on after the visitor has the answer.
echo 'sent';
fastcgi_finish_request();
$work = array_map(static fn (int $n) => sha1((string) $n), range(1, 500));
echo 'nobody sees this';
