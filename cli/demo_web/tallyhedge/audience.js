window.tallyAudience=true;
