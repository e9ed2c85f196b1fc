"""Bodies and responses of any size: bounded memory in the worker, and nothing lost."""

import hashlib
import json

import pytest

from harness import fastcgi as f
from harness import processes
from harness.background import Task
from harness.waiting import PATIENCE

BLOCK = bytes(range(256)) * 256  # 64 KiB, less than a record's most
BLOCKS = 1500  # 94 MiB
SIZE = len(BLOCK) * BLOCKS
# What a worker may take more for it: buffers, and what the allocator keeps of them.
GROWTH_KB = 12 * 1024 * PATIENCE  # sanitizers keep freed memory for a while
ROOMY = {
    "www": {
        "php_admin_value[post_max_size]": "0",
        "php_admin_value[upload_max_filesize]": "8G",
        "php_admin_value[memory_limit]": "32M",
        "php_admin_value[output_buffering]": "0",
        "php_admin_value[max_execution_time]": "0",
    }
}


def peak_kb(pid):
    """The most resident memory the process ever had; anonymous shares count like private ones."""
    return int(processes.status_field(pid, "VmHWM").split()[0])


@pytest.fixture
def worker(arena, daemon):
    daemon.configure(ROOMY).start()
    daemon.get(arena.script("warm.php", "<?php echo strlen(file_get_contents('php://input'));"))
    (pid,) = daemon.wait_workers(1)
    return pid


def send_body(connection, params, head=b"", tail=b""):
    """A request whose body is `head`, the blocks and `tail`, sent while the answer is awaited."""
    one = f.record(f.STDIN, BLOCK[:-1]) + f.record(f.STDIN, BLOCK[-1:])

    def sending():
        connection.send(f.begin() + f.params_stream(params))
        if head:
            connection.send(f.record(f.STDIN, head))
        for _ in range(BLOCKS):
            connection.send(one)
        connection.send((f.record(f.STDIN, tail) if tail else b"") + f.record(f.STDIN))

    task = Task(sending)
    answer = connection.read_response()
    task.result()
    return answer


def digest():
    whole = hashlib.md5()
    for _ in range(BLOCKS):
        whole.update(BLOCK)
    return whole.hexdigest()


READERS = {
    "stream": "$in = fopen('php://input', 'r'); while (!feof($in)) { hash_update($h, fread($in, 65536)); }",
    "file": "$out = tempnam(sys_get_temp_dir(), 'b'); copy('php://input', $out); hash_update_file($h, $out); unlink($out);",
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_input_streams_in_bounded_memory(arena, daemon, worker, reader, method):
    before = peak_kb(worker)
    code = f"<?php $h = hash_init('md5'); {READERS[reader]} echo hash_final($h), ' ', memory_get_peak_usage() < 8 << 20;"
    more = {"CONTENT_LENGTH": str(SIZE), "CONTENT_TYPE": "application/octet-stream"}
    params = daemon.params(arena.script("read.php", code), method, more=more)
    with daemon.connect(timeout=60.0) as connection:
        assert send_body(connection, params).text == f"{digest()} 1"
    assert daemon.wait_workers(1) == {worker}
    assert peak_kb(worker) - before < GROWTH_KB


def test_a_large_upload_goes_to_a_file(arena, daemon, worker):
    before = peak_kb(worker)
    head = b'--X\r\nContent-Disposition: form-data; name="f"; filename="big"\r\n\r\n'
    tail = b"\r\n--X--\r\n"
    more = {
        "CONTENT_LENGTH": str(len(head) + SIZE + len(tail)),
        "CONTENT_TYPE": "multipart/form-data; boundary=X",
    }
    code = "<?php $f = $_FILES['f']; echo $f['error'], ' ', $f['size'], ' ', md5_file($f['tmp_name']);"
    params = daemon.params(arena.script("upload.php", code), "POST", more=more)
    with daemon.connect(timeout=60.0) as connection:
        assert send_body(connection, params, head, tail).text == f"0 {SIZE} {digest()}"
    assert peak_kb(worker) - before < GROWTH_KB


def test_a_body_that_nobody_reads_costs_nothing(arena, daemon, worker):
    before = peak_kb(worker)
    more = {"CONTENT_LENGTH": str(SIZE), "CONTENT_TYPE": "application/octet-stream"}
    path = arena.script("ignore.php", "<?php echo 'ignored';")
    with daemon.connect(timeout=60.0) as connection:
        assert send_body(connection, daemon.params(path, "PUT", more=more)).text == "ignored"
    daemon.assert_serves()
    assert peak_kb(worker) - before < GROWTH_KB


WRITERS = {
    "echo": "for ($i = 0; $i < $n; ++$i) echo $block;",
    "small": "for ($i = 0; $i < $n * 64; ++$i) echo substr($block, ($i % 64) * 1024, 1024);",
    "readfile": "$t = tempnam(sys_get_temp_dir(), 'r'); $o = fopen($t, 'w');"
    " for ($i = 0; $i < $n; ++$i) fwrite($o, $block); readfile($t); unlink($t);",
    "passthru": "passthru(\"head -c \" . ($n * strlen($block)) . ' /dev/zero');",
}


@pytest.mark.parametrize("writer", WRITERS)
def test_responses_stream_in_bounded_memory(arena, daemon, worker, writer):
    before = peak_kb(worker)
    code = f"<?php $n = {BLOCKS}; $block = str_repeat(implode('', array_map('chr', range(0, 255))), 256); {WRITERS[writer]}"
    path = arena.script(f"{writer}.php", code)
    got, whole = 0, hashlib.md5()
    with daemon.connect(timeout=60.0) as connection:
        connection.send(f.request_bytes(daemon.params(path)))
        headers = True
        while (one := connection.read_record()).kind != f.END:
            content = one.content
            if headers:
                content, headers = content.partition(b"\r\n\r\n")[2], False
            got += len(content)
            whole.update(content)
    assert got == SIZE
    if writer != "passthru":
        assert whole.hexdigest() == digest()
    assert peak_kb(worker) - before < GROWTH_KB


UPLOAD_PROGRESS = {
    "php_admin_value[session.save_path]": "{dir}",
    "php_admin_flag[session.upload_progress.enabled]": "on",
    "php_admin_flag[session.upload_progress.cleanup]": "on",
    "php_admin_value[session.upload_progress.freq]": "1",
    "php_admin_value[session.upload_progress.min_freq]": "0",
    "php_admin_value[session.use_strict_mode]": "0",
    "php_admin_value[upload_max_filesize]": "8M",
    "pm.max_children": "2",
}


def test_the_progress_of_an_upload_is_seen_by_another_request(arena, daemon):
    settings = {k: v.replace("{dir}", arena.scratch) for k, v in UPLOAD_PROGRESS.items()}
    daemon.configure({"www": settings}).start()
    look = arena.script(
        "look.php",
        "<?php session_id('abc'); session_start(['read_and_close' => true]);"
        " echo json_encode($_SESSION['upload_progress_one'] ?? null);",
    )
    done = arena.script(
        "done.php",
        "<?php session_start(); echo json_encode([$_FILES['f']['size'], isset($_SESSION['upload_progress_one'])]);",
    )

    def field(name, extra=b""):
        return b'--X\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n' % (name, extra)

    head = field(b"PHP_SESSION_UPLOAD_PROGRESS") + b"one\r\n" + field(b"f", b'; filename="big"')
    content, tail = b"c" * 500_000, b"\r\n--X--\r\n"
    more = {
        "CONTENT_LENGTH": str(len(head + content + tail)),
        "CONTENT_TYPE": "multipart/form-data; boundary=X",
        "HTTP_COOKIE": "PHPSESSID=abc",
    }
    params = daemon.params(done, "POST", more=more)
    with daemon.connect() as connection:
        connection.send(f.begin() + f.params_stream(params) + f.record(f.STDIN, head))
        seen = []
        for at in range(0, len(content), 50_000):
            connection.send(f.record(f.STDIN, content[at : at + 50_000]))
            progress = json.loads(daemon.get(look, more={"HTTP_COOKIE": "PHPSESSID=abc"}).text)
            if progress is not None:
                assert progress["content_length"] == len(head + content + tail)
                assert progress["done"] is False
                seen.append(progress["bytes_processed"])
        connection.send(f.record(f.STDIN, tail) + f.record(f.STDIN))
        assert connection.read_response().text == f"[{len(content)},false]"
    assert len(seen) >= 5 and seen == sorted(seen) and seen[-1] > seen[0]


def test_a_form_larger_than_allowed_is_not_kept(arena, daemon, worker):
    before = peak_kb(worker)
    settings = "post_max_size = 1M"
    path = arena.script("form.php", "<?php echo count($_POST), ' ', error_get_last()['message'];")
    more = {
        "CONTENT_LENGTH": str(SIZE),
        "CONTENT_TYPE": "application/x-www-form-urlencoded",
        "PHP_VALUE": settings,
    }
    with daemon.connect(timeout=60.0) as connection:
        answer = send_body(connection, daemon.params(path, "POST", more=more))
    assert f"POST Content-Length of {SIZE} bytes exceeds the limit of 1048576 bytes" in answer.text
    assert peak_kb(worker) - before < GROWTH_KB
