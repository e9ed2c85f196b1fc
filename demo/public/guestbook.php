<?php
// The guest book: post, redirect, get; a token against forged posts; everything shown is escaped.
declare(strict_types=1);
require __DIR__ . '/../lib/page.php';
require __DIR__ . '/../lib/guestbook.php';

startSession();
$name = textField($_POST, 'name', 40);
$words = textField($_POST, 'words', 500);
$problem = null;
$book = new GuestBook((string) getenv('DEMO_DATA'));

if (($_SERVER['REQUEST_METHOD'] ?? 'GET') === 'POST') {
    if (!tokenIsRight()) {
        http_response_code(403);
        $problem = 'This form was too old or came from another page. Please send it again.';
    } elseif ($name === '' || $words === '') {
        http_response_code(422);
        $problem = 'Please give a name and some words.';
    } else {
        $book->add($name, $words, poolName());
        header('Location: guestbook.php', response_code: 303);
        exit;
    }
}

pageHead('Guest book');
?>
<p class="lead">Kept in SQLite, written by whichever worker gets your request.</p>
<?php if ($problem !== null) { ?>
<p class="problem" role="alert"><?= e($problem) ?></p>
<?php } ?>
<form class="card" method="post" action="guestbook.php">
<?= tokenField() ?>
<label for="name">Your name</label>
<input id="name" name="name" maxlength="40" required autocomplete="off" value="<?= e($name) ?>">
<label for="words">Your words</label>
<textarea id="words" name="words" rows="3" maxlength="500" required><?= e($words) ?></textarea>
<button>Sign</button>
</form>
<section aria-labelledby="entries">
<h2 id="entries">Entries</h2>
<?php $entries = $book->latest(50); ?>
<?php if (count($entries) === 0) { ?>
<p>Nobody has signed yet.</p>
<?php } ?>
<?php foreach ($entries as $entry) { ?>
<article class="card entry">
<p><?= nl2br(e($entry['words'])) ?></p>
<footer><strong><?= e($entry['name']) ?></strong>,
<time datetime="<?= e(gmdate('c', (int) $entry['written'])) ?>"><?= e(gmdate('j F Y, H:i', (int) $entry['written'])) ?> UTC</time>,
through pool <?= e($entry['pool']) ?></footer>
</article>
<?php } ?>
</section>
<?php
pageFoot();
