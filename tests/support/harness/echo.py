"""A script that tells what body and query it was given, and what it must say."""

import hashlib

ECHO = """<?php
header('X-Method: ' . $_SERVER['REQUEST_METHOD']);
echo strlen($b = file_get_contents('php://input')), ' ', md5($b), ' ', $_GET['n'] ?? '-';"""


def echo_answer(body, n="-"):
    return f"{len(body)} {hashlib.md5(body).hexdigest()} {n}"
