<?php
// Sends until the visitor goes.
for (;;) {
    echo str_repeat('x', 65536);
    flush();
}
