<?php
// Sends a number of requests for the slow page to this very site at once, and tells how each went.
// From here, because a browser opens no more than six connections to a host.
declare(strict_types=1);
require __DIR__ . '/../lib/page.php';

const MOST_REQUESTS = 16;

function openRequest(string $path, string $host): mixed
{
    $stream = @stream_socket_client("tcp://$host", $code, $reason, 2.0);
    if ($stream === false) {
        return null;
    }
    fwrite($stream, "GET $path HTTP/1.0\r\nHost: $host\r\nConnection: close\r\n\r\n");
    stream_set_blocking($stream, false);
    return $stream;
}

/** Sends $count requests at once; one entry per request: seconds until its answer, or null. */
function burst(int $count, string $path, string $host, float $limit): array
{
    $began = microtime(true);
    $open = array_filter(array_map(fn () => openRequest($path, $host), range(1, $count)));
    $answers = array_fill_keys(array_keys($open), '');
    $took = array_fill(0, $count, null);
    while ($open !== [] && microtime(true) - $began < $limit) {
        $ready = $open;
        $none = null;
        if (!stream_select($ready, $none, $none, 1)) {
            continue;
        }
        foreach ($ready as $number => $stream) {
            $answers[$number] .= (string) fread($stream, 8192);
            if (feof($stream)) {
                $good = str_starts_with($answers[$number], 'HTTP/1.1 200 ');
                $took[$number] = $good ? round(microtime(true) - $began, 3) : null;
                fclose($stream);
                unset($open[$number]);
            }
        }
    }
    return $took;
}

startSession();
if (($_SERVER['REQUEST_METHOD'] ?? 'GET') !== 'POST' || !tokenIsRight()) {
    http_response_code(403);
    sendHeaders('text/plain; charset=UTF-8');
    exit("Please use the button on the load page.\n");
}
// The session file is locked until here; the slow pages need none of it.
session_write_close();
$count = max(1, min(MOST_REQUESTS, (int) ($_POST['count'] ?? 8)));
$seconds = max(1, min(3, (int) ($_POST['seconds'] ?? 2)));
$host = $_SERVER['SERVER_ADDR'] . ':' . $_SERVER['SERVER_PORT'];
$took = burst($count, '/' . poolName() . "/slow.php?seconds=$seconds", $host, 60.0);
sendHeaders('application/json');
echo json_encode(['seconds' => $seconds, 'took' => $took]), "\n";
