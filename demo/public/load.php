<?php
// The load page: fire slow requests at the pool and watch its workers.
declare(strict_types=1);
require __DIR__ . '/../lib/page.php';

startSession();
pageHead('Load');
?>
<p class="lead">Send many slow requests at once and watch pool <strong><?= e(poolName()) ?></strong>
(<?= e(POOLS[poolName()]) ?>) take them. A <em>dynamic</em> pool grows, an <em>ondemand</em> one starts from nothing,
a <em>static</em> one lets them wait.</p>
<form class="card inline" method="post" action="burst.php" data-burst>
<?= tokenField() ?>
<span class="field"><label for="count">Requests</label>
<input id="count" name="count" type="number" min="1" max="16" value="8"></span>
<span class="field"><label for="seconds">Seconds each</label>
<input id="seconds" name="seconds" type="number" min="1" max="3" value="2"></span>
<button>Send them all at once</button>
<output data-burst-result aria-live="polite"></output>
</form>
<section class="card" aria-labelledby="now">
<h2 id="now">Workers now</h2>
<div class="workers" data-live="squares" role="img" aria-label="workers of the pool"></div>
<p class="legend"><span class="idle"></span> idle <span class="busy"></span> at work ·
<span data-live="active processes">–</span> of <span data-live="total processes">–</span> at work with this look,
<span data-live="listen queue">–</span> waiting, <span data-live="accepted conn">–</span> requests taken</p>
<div class="scroll">
<table>
<thead><tr><th scope="col">Worker</th><th scope="col">State</th><th scope="col">Requests</th>
<th scope="col">For</th><th scope="col">Request</th><th scope="col">Memory</th></tr></thead>
<tbody data-live="table"><tr><td colspan="6">Waiting for the status page…</td></tr></tbody>
</table>
</div>
<noscript><p>The live table needs JavaScript; the <a href="status?full">status page</a> does not.</p></noscript>
</section>
<p>One by hand: <a href="slow.php?seconds=3">a page that takes three seconds</a>.</p>
<?php
pageFoot();
