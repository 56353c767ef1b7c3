/* tinyslide 3.2.1, a slider for everybody */
window.tinyslide=function(){};
