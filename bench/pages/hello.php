<?php
// The least a page can do: what is measured is the way there and back.
echo "Hello, world\n";
