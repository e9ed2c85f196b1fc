<?php
// Counts in a session.
session_start();
$_SESSION['count'] = ($_SESSION['count'] ?? 0) + 1;
$_SESSION['last'] = str_repeat('x', $_SESSION['count'] % 1000);
echo 'session ', session_id();
