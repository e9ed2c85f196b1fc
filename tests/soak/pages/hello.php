<?php
// The smallest page.
echo 'hello';
