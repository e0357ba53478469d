// Shows what others change while a page is open. Without scripts every page works the same.
"use strict";
(function () {
  const news = document.getElementById("news");
  let wait = 1000;
  function show(event) {
    const link = document.createElement("a");
    link.href = event.url;
    link.textContent = event.user + ": " + event.kind.replace(".", " ") + " – " + event.title;
    news.append(link);
    while (news.children.length > 3) news.firstChild.remove();
    setTimeout(() => link.remove(), 8000);
  }
  function connect() {
    const socket = new WebSocket(location.origin.replace(/^http/, "ws") + "/notify");
    socket.onopen = () => { wait = 1000; };
    socket.onmessage = (message) => {
      const event = JSON.parse(message.data);
      if (event.url && event.user !== document.body.dataset.user) show(event);
    };
    socket.onclose = () => {
      setTimeout(connect, wait * (0.5 + Math.random()));
      wait = Math.min(wait * 2, 30000);
    };
  }
  connect();
})();
