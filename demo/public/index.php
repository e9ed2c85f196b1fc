<?php
// The first page: what serves it, how the pool is doing, what OPcache holds.
declare(strict_types=1);
require __DIR__ . '/../lib/page.php';

startSession();
$visits = $_SESSION['visits'] = ($_SESSION['visits'] ?? 0) + 1;
$opcache = function_exists('opcache_get_status') ? opcache_get_status(false) : false;

pageHead('What serves this page');
?>
<p class="lead">nginx took your request and gave it to <strong>muster</strong>, which keeps pools of
PHP workers. Reload a few times, switch the pool at the top, put some <a href="load.php">load</a> on it.</p>

<div class="cards">
<section class="card" aria-labelledby="served">
<h2 id="served">Served by</h2>
<dl>
<div><dt>Pool</dt><dd><?= e(poolName()) ?> <span class="tag"><?= e(POOLS[poolName()]) ?></span></dd></div>
<div><dt>Worker</dt><dd>pid <code><?= getmypid() ?></code></dd></div>
<div><dt>Requests of this worker</dt><dd data-live="own-requests">–</dd></div>
<div><dt>Memory, peak of this page</dt><dd><?= e(formatBytes(memory_get_peak_usage(true))) ?></dd></div>
<div><dt>Runs as</dt><dd><?= e(posixUser()) ?></dd></div>
<div><dt>PHP</dt><dd><?= e(PHP_VERSION) ?> <span class="tag"><?= e(PHP_SAPI) ?></span></dd></div>
<div><dt>Web server</dt><dd><?= e($_SERVER['SERVER_SOFTWARE'] ?? 'unknown') ?></dd></div>
<div><dt>Your visits in this session</dt><dd><?= e($visits) ?></dd></div>
</dl>
</section>

<section class="card" aria-labelledby="pool">
<h2 id="pool">The pool now</h2>
<div class="workers" data-live="squares" role="img" aria-label="workers of the pool"></div>
<p class="legend"><span class="idle"></span> idle <span class="busy"></span> at work</p>
<dl>
<div><dt>Workers</dt><dd data-live="total processes">–</dd></div>
<div><dt>At work, with this look</dt><dd data-live="active processes">–</dd></div>
<div><dt>Most at work so far</dt><dd data-live="max active processes">–</dd></div>
<div><dt>Requests taken</dt><dd data-live="accepted conn">–</dd></div>
<div><dt>Waiting in the listen queue</dt><dd data-live="listen queue">–</dd></div>
<div><dt>Limit of workers reached</dt><dd><span data-live="max children reached">–</span> times</dd></div>
<div><dt>Up for</dt><dd data-live="start since">–</dd></div>
</dl>
<svg class="spark" viewBox="0 0 120 30" preserveAspectRatio="none" aria-hidden="true"><path data-live="spark" d=""/></svg>
<noscript><p>Live figures need JavaScript; the <a href="status">status page</a> does not.</p></noscript>
</section>

<section class="card" aria-labelledby="opcache">
<h2 id="opcache">OPcache</h2>
<?php if (is_array($opcache) && $opcache['opcache_enabled']) {
    $memory = $opcache['memory_usage'];
    $size = $memory['used_memory'] + $memory['free_memory'] + $memory['wasted_memory'];
    $counts = $opcache['opcache_statistics'];
    ?>
<dl>
<div><dt>State</dt><dd><span class="tag good">on</span> shared by the pool</dd></div>
<div><dt>Scripts held</dt><dd><?= e($counts['num_cached_scripts']) ?></dd></div>
<div><dt>Hits / misses</dt><dd><?= e($counts['hits']) ?> / <?= e($counts['misses']) ?></dd></div>
<div><dt>JIT</dt><dd><?= empty($opcache['jit']['on']) ? 'off' : 'on' ?></dd></div>
<div><dt>Memory</dt><dd><?= e(formatBytes($memory['used_memory'])) ?> of <?= e(formatBytes($size)) ?></dd></div>
</dl>
<meter min="0" max="<?= e($size) ?>" value="<?= e($memory['used_memory']) ?>" aria-label="OPcache memory used"></meter>
<?php } else { ?>
<p><span class="tag">off</span> Scripts are compiled anew for every request.</p>
<?php } ?>
</section>
</div>
<?php
pageFoot();

/** The worker's user by name where the system knows it, else by number. */
function posixUser(): string
{
    if (!function_exists('posix_geteuid')) {
        return get_current_user();
    }
    $known = posix_getpwuid(posix_geteuid());
    return $known === false ? 'uid ' . posix_geteuid() : $known['name'];
}
