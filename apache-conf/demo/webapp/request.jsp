<%@ page contentType="text/html; charset=UTF-8" session="false" trimDirectiveWhitespaces="true" %>
<%!
    // Everything shown comes from the client.
    static String text(Object value) {
        if (value == null) return "<span class=\"none\">none</span>";
        return value.toString().replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
            .replace("\"", "&quot;").replace("'", "&#39;");
    }
%>
<% response.setHeader("Cache-Control", "no-store"); %>
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>What Tomcat sees</title>
<link rel="stylesheet" href="/style.css">
</head>
<body>
<main class="page narrow">
  <p class="crumb"><a href="/">&larr; Start page</a></p>
  <h1>What Tomcat sees</h1>
  <p class="lead">AJP carries the facts of the client's connection, so the application sees the browser, not the web server.</p>
  <dl class="facts">
    <dt>Method and path</dt><dd><code><%= text(request.getMethod() + " " + request.getRequestURI()) %></code></dd>
    <dt>Query</dt><dd><code><%= text(request.getQueryString()) %></code></dd>
    <dt>Protocol</dt><dd><%= text(request.getProtocol()) %></dd>
    <dt>Client</dt><dd><%= text(request.getRemoteAddr()) %>, port <%= request.getRemotePort() %></dd>
    <dt>Server name</dt><dd><%= text(request.getServerName()) %>, port <%= request.getServerPort() %></dd>
    <dt>Scheme</dt><dd><%= text(request.getScheme()) %><%= request.isSecure() ? " (secure)" : "" %></dd>
    <dt>User</dt><dd><%= text(request.getRemoteUser()) %></dd>
  </dl>
  <h2>Request headers</h2>
  <dl class="facts">
<% for (java.util.Enumeration<String> names = request.getHeaderNames(); names.hasMoreElements();) {
       String name = names.nextElement(); %>
    <dt><%= text(name) %></dt><dd><code><%= text(request.getHeader(name)) %></code></dd>
<% } %>
  </dl>
  <p><a class="button" href="request.jsp?name=J%C3%B6rg&amp;sum=1%2B1">With a query</a></p>
</main>
</body>
</html>
