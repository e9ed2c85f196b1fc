<?php
// Shows what PHP_VALUE sets.
echo ini_get('precision'), ' ', ini_get('user_agent');
