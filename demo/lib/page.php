<?php
// What every page of the demo shares: escaping, the session, the form token, head and foot.
declare(strict_types=1);

const POOLS = ['www' => 'dynamic', 'steady' => 'static', 'rare' => 'ondemand'];
const PAGES = [
    'index.php' => 'Overview',
    'forms.php' => 'Forms',
    'guestbook.php' => 'Guest book',
    'load.php' => 'Load',
];

/** Text for HTML, quotes included: nothing reaches a page by another way. */
function e(string|int|float|null $text): string
{
    return htmlspecialchars((string) $text, ENT_QUOTES | ENT_SUBSTITUTE, 'UTF-8');
}

/** The pool that serves this request, as its file says through env[DEMO_POOL]. */
function poolName(): string
{
    $name = getenv('DEMO_POOL');
    return is_string($name) && isset(POOLS[$name]) ? $name : 'www';
}

function formatBytes(int|float $bytes): string
{
    foreach (['B', 'KiB', 'MiB'] as $unit) {
        if ($bytes < 1024) {
            return ($unit === 'B' ? (string) (int) $bytes : sprintf('%.1f', $bytes)) . " $unit";
        }
        $bytes /= 1024;
    }
    return sprintf('%.1f GiB', $bytes);
}

function startSession(): void
{
    session_start([
        'name' => 'muster_demo',
        'use_strict_mode' => true,
        'cookie_httponly' => true,
        'cookie_samesite' => 'Strict',
    ]);
    $_SESSION['token'] ??= bin2hex(random_bytes(16));
}

/** A hidden field for every form that changes something. */
function tokenField(): string
{
    return '<input type="hidden" name="token" value="' . e($_SESSION['token']) . '">';
}

function tokenIsRight(): bool
{
    $sent = $_POST['token'] ?? null;
    return is_string($sent) && hash_equals($_SESSION['token'], $sent);
}

/** A field of a form as trimmed text of at most $limit characters; anything odd is ''. */
function textField(array $from, string $name, int $limit): string
{
    $value = $from[$name] ?? '';
    if (!is_string($value) || !mb_check_encoding($value, 'UTF-8')) {
        return '';
    }
    return mb_substr(trim($value), 0, $limit);
}

function sendHeaders(string $type = 'text/html; charset=UTF-8'): void
{
    header("Content-Type: $type");
    header('Cache-Control: no-store');
    header('X-Content-Type-Options: nosniff');
    header('Referrer-Policy: same-origin');
    header("Content-Security-Policy: default-src 'none'; style-src 'self'; script-src 'self'; "
        . "connect-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; "
        . "frame-ancestors 'none'");
}

function pageHead(string $title): void
{
    sendHeaders();
    $here = basename($_SERVER['SCRIPT_NAME'] ?? 'index.php');
    $pool = poolName();
    ?>
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title><?= e($title) ?> · muster demo</title>
<link rel="icon" href="/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/style.css">
<script src="/live.js" defer></script>
</head>
<body data-status="/<?= e($pool) ?>/status?json&amp;full" data-pid="<?= getmypid() ?>">
<a class="skip" href="#content">Skip to content</a>
<header>
<div class="bar">
<p class="brand"><img src="/icon.svg" alt="" width="28" height="28"> muster</p>
<nav aria-label="Pages">
<?php foreach (PAGES as $file => $name) { ?>
<a href="/<?= e($pool) ?>/<?= $file === 'index.php' ? '' : e($file) ?>"<?=
    $file === $here ? ' aria-current="page"' : '' ?>><?= e($name) ?></a>
<?php } ?>
</nav>
<nav class="pools" aria-label="Pools">
<?php foreach (POOLS as $name => $kind) { ?>
<a href="/<?= e($name) ?>/<?= $here === 'index.php' ? '' : e($here) ?>"<?=
    $name === $pool ? ' aria-current="true"' : '' ?>><?= e($name) ?> <small><?= e($kind) ?></small></a>
<?php } ?>
</nav>
</div>
</header>
<main id="content">
<h1><?= e($title) ?></h1>
    <?php
}

function pageFoot(): void
{
    $pool = poolName();
    ?>
</main>
<footer>
<p>Served by worker <code><?= getmypid() ?></code> of pool <code><?= e($pool) ?></code> in
<?= sprintf('%.1f', (microtime(true) - $_SERVER['REQUEST_TIME_FLOAT']) * 1000) ?> ms.
Status of the pool: <a href="/<?= e($pool) ?>/status?full">text</a>,
<a href="/<?= e($pool) ?>/status?json&amp;full">JSON</a>;
<a href="/<?= e($pool) ?>/ping">ping</a>.</p>
</footer>
</body>
</html>
    <?php
}
