/* first party */
window.seen=(window.seen||0)+1;
