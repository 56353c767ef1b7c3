window.tally=window.tally||[];
