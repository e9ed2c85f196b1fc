<?php
// A page that waits for somebody else, as most do: workers are what it needs, not processor time.
usleep(75000);
echo "Hello, world\n";
