<?php
// 100 KB of output in one piece.
echo str_repeat("0123456789abcdef0123456789abcdef\n", 3103);
