"""The report: one typed snapshot of a case (``gather``), shown as a self-contained page (``html``) with its figures."""
