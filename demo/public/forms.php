<?php
// Forms: shows what PHP made of a GET, a POST or an upload. Nothing sent here is kept.
declare(strict_types=1);
require __DIR__ . '/../lib/page.php';

const PREVIEW_TYPES = ['image/png', 'image/jpeg', 'image/gif', 'image/webp'];
const PREVIEW_LIMIT = 256 * 1024;

/** Name => text of the fields, nested ones as JSON. */
function fields(array $from): array
{
    return array_map(
        fn ($value) => is_string($value) ? $value
            : (string) json_encode($value, JSON_UNESCAPED_UNICODE | JSON_INVALID_UTF8_SUBSTITUTE),
        $from
    );
}

function uploadError(int $code): string
{
    return match ($code) {
        UPLOAD_ERR_INI_SIZE, UPLOAD_ERR_FORM_SIZE => 'The file is larger than the pool allows ('
            . ini_get('upload_max_filesize') . ').',
        UPLOAD_ERR_PARTIAL => 'Only a part of the file arrived.',
        UPLOAD_ERR_NO_FILE => 'No file was chosen.',
        default => "PHP could not take the file (error $code).",
    };
}

/** What is worth telling about an uploaded file, or why there is none. */
function describeUpload(array $file): array
{
    $code = is_int($file['error'] ?? null) ? $file['error'] : UPLOAD_ERR_NO_FILE;
    if ($code !== UPLOAD_ERR_OK || !is_uploaded_file($file['tmp_name'])) {
        return ['problem' => uploadError($code)];
    }
    $path = $file['tmp_name'];
    $type = function_exists('mime_content_type') ? (string) mime_content_type($path) : 'unknown';
    $shown = in_array($type, PREVIEW_TYPES, true) && $file['size'] <= PREVIEW_LIMIT;
    return [
        'facts' => [
            'Name' => $file['name'],
            'Size' => formatBytes($file['size']) . ' (' . $file['size'] . ' bytes)',
            'Type, by its content' => $type,
            'SHA-256' => (string) hash_file('sha256', $path),
        ],
        'preview' => $shown
            ? "data:$type;base64," . base64_encode((string) file_get_contents($path)) : null,
    ];
}

function showTable(string $caption, array $rows): void
{
    echo '<table><caption>', e($caption), '</caption><tbody>';
    foreach ($rows as $name => $value) {
        echo '<tr><th scope="row">', e($name), '</th><td>', nl2br(e($value)), '</td></tr>';
    }
    echo '</tbody></table>';
}

$method = $_SERVER['REQUEST_METHOD'] ?? 'GET';
$upload = isset($_FILES['file']) ? describeUpload($_FILES['file']) : null;

pageHead('Forms');
?>
<p class="lead">Send something; the page shows what arrived through nginx and FastCGI.</p>
<div class="cards">
<form class="card" method="get" action="forms.php">
<h2>GET</h2>
<label for="q">A word in the address</label>
<input id="q" name="q" maxlength="200" value="<?= e(textField($_GET, 'q', 200)) ?>" placeholder="Grüße &amp; <b>">
<button>Send in the query</button>
</form>
<form class="card" method="post" action="forms.php">
<h2>POST</h2>
<label for="text">Some lines in the body</label>
<textarea id="text" name="text" rows="3" maxlength="5000"><?= e(textField($_POST, 'text', 5000)) ?></textarea>
<button>Send in the body</button>
</form>
<form class="card" method="post" action="forms.php" enctype="multipart/form-data">
<h2>Upload</h2>
<label for="file">A file of at most <?= e(ini_get('upload_max_filesize')) ?></label>
<input id="file" type="file" name="file">
<button>Upload</button>
</form>
</div>

<section class="card" aria-labelledby="arrived">
<h2 id="arrived">What arrived</h2>
<?php
showTable('The request', [
    'Method' => $method,
    'Address' => $_SERVER['REQUEST_URI'] ?? '',
    'Content type' => $_SERVER['CONTENT_TYPE'] ?? '' ?: '–',
    'Length of the body' => ($_SERVER['CONTENT_LENGTH'] ?? '') ?: '0',
]);
foreach (['Fields of the query' => $_GET, 'Fields of the body' => $_POST] as $caption => $from) {
    if ($from !== []) {
        showTable($caption, fields($from));
    }
}
if (isset($upload['problem'])) {
    echo '<p class="problem" role="alert">', e($upload['problem']), '</p>';
} elseif ($upload !== null) {
    showTable('The uploaded file', $upload['facts']);
    if ($upload['preview'] !== null) {
        echo '<img class="preview" alt="the uploaded picture" src="', e($upload['preview']), '">';
    }
}
?>
</section>
<?php
pageFoot();
