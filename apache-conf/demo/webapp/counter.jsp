<%@ page contentType="text/html; charset=UTF-8" session="true" trimDirectiveWhitespaces="true" %>
<%
    // The count lives in Tomcat; the browser only holds the session cookie.
    Integer seen = (Integer) session.getAttribute("count");
    int count = seen == null ? 1 : seen + 1;
    session.setAttribute("count", count);
    response.setHeader("Cache-Control", "no-store");
%>
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Session counter</title>
<link rel="stylesheet" href="/style.css">
</head>
<body>
<main class="page narrow">
  <p class="crumb"><a href="/">&larr; Start page</a></p>
  <h1>Session counter</h1>
  <p class="lead">This page was written by Tomcat and came here over AJP. Reload it and the number goes up.</p>
  <p class="count" id="count"><%= count %></p>
  <dl class="facts">
    <dt>Session</dt><dd><code><%= session.getId() %></code></dd>
    <dt>State</dt><dd><%= session.isNew() ? "new: the cookie was set just now" : "known: the browser sent the cookie back" %></dd>
    <dt>Tomcat</dt><dd><%= application.getServerInfo() %></dd>
    <dt>Thread</dt><dd><code><%= Thread.currentThread().getName() %></code></dd>
  </dl>
  <p><a class="button" href="counter.jsp">Count again</a></p>
</main>
</body>
</html>
