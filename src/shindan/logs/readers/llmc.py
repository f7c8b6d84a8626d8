"""llm.c: ``step 1/100 | loss 10.97 (+nanz)| norm ...``, and its main.log ``s:0 tel:10.97``."""

from shindan.logs.text import style

FORMAT = style("llmc", rb"(?m)^(?:step +\d+/\d+ \| (?:train )?loss |s:\d+ t[er]l:)")
