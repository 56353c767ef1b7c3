/* counts a visit */
(function(){window.__beat=Date.now();})();
