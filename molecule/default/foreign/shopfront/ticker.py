"""The further process."""

import time
from pathlib import Path

while True:
    Path("/srv/uploads/tick").write_text(f"ticking at {time.time():.0f}")
    time.sleep(2)
