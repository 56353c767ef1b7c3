// Draws the page named by the address from its JSON document.
(function () {
  'use strict';
  var root = document.getElementById('root');
  var names = { '/': 'home', '/pricing': 'pricing', '/faq': 'faq', '/terms': 'terms', '/privacy': 'privacy', '/contact': 'contact' };
  function node(tag, attributes, children) {
    var el = document.createElement(tag);
    Object.keys(attributes || {}).forEach(function (key) { el.setAttribute(key, attributes[key]); });
    (children || []).forEach(function (child) {
      el.appendChild(typeof child === 'string' ? document.createTextNode(child) : child);
    });
    return el;
  }
  function block(item) {
    if (item.items) {
      return node(item.tag, {}, item.items.map(function (text) { return node('li', {}, [text]); }));
    }
    return node(item.tag, item.attributes || {}, [item.text || '']);
  }
  function draw(page) {
    document.title = page.title;
    var links = Object.keys(names).map(function (path) {
      return node('a', { href: path, 'class': 'nav-link' }, [path === '/' ? 'Home' : path.slice(1)]);
    });
    root.textContent = '';
    root.appendChild(node('nav', { 'aria-label': 'Main' }, links));
    root.appendChild(node('main', { 'class': 'view view-' + page.name }, page.blocks.map(block)));
    root.appendChild(node('footer', {}, [node('p', {}, [page.footer])]));
  }
  function route() {
    var name = names[location.pathname] || 'home';
    fetch('/data/' + name + '.json').then(function (answer) { return answer.json(); }).then(draw);
  }
  root.addEventListener('click', function (event) {
    var link = event.target.closest('a.nav-link');
    if (!link) { return; }
    event.preventDefault();
    history.pushState({}, '', link.getAttribute('href'));
    route();
  });
  window.addEventListener('popstate', route);
  route();
}());
