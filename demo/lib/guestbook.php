<?php
// The guest book's store: one SQLite file, shared by all workers of all pools.
declare(strict_types=1);

final class GuestBook
{
    private const KEPT = 200;
    private PDO $database;

    /** The folder comes from the pool's env[DEMO_DATA]; SQLite waits for other writers. */
    public function __construct(string $folder)
    {
        $this->database = new PDO("sqlite:$folder/guestbook.sqlite", options: [
            PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
            PDO::ATTR_DEFAULT_FETCH_MODE => PDO::FETCH_ASSOC,
            PDO::ATTR_TIMEOUT => 5,
        ]);
        $this->database->exec('CREATE TABLE IF NOT EXISTS entry (id INTEGER PRIMARY KEY, '
            . 'name TEXT NOT NULL, words TEXT NOT NULL, pool TEXT NOT NULL, written INTEGER NOT NULL)');
    }

    public function add(string $name, string $words, string $pool): void
    {
        $this->database->prepare('INSERT INTO entry (name, words, pool, written) VALUES (?, ?, ?, ?)')
            ->execute([$name, $words, $pool, time()]);
        $this->database->exec('DELETE FROM entry WHERE id <= (SELECT max(id) FROM entry) - ' . self::KEPT);
    }

    /** @return list<array{name: string, words: string, pool: string, written: int}> newest first */
    public function latest(int $count): array
    {
        $query = $this->database->prepare(
            'SELECT name, words, pool, written FROM entry ORDER BY id DESC LIMIT ?'
        );
        $query->execute([$count]);
        return $query->fetchAll();
    }
}
