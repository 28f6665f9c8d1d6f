<%@ page contentType="text/html; charset=UTF-8" session="true" trimDirectiveWhitespaces="true" %>
<%
    // A number that is copied to the other Tomcat before this page goes out.
    Integer seen = (Integer) session.getAttribute("count");
    int count = seen == null ? 1 : seen + 1;
    session.setAttribute("count", count);
    response.setHeader("Cache-Control", "no-store");
    String node = System.getProperty("cluster.node");
    if ("text".equals(request.getParameter("as"))) {
        response.setContentType("text/plain; charset=UTF-8");
        out.println("count=" + count + " node=" + node + " session=" + session.getId());
        return;
    }
%>
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title><%= count %> - <%= node %></title>
<style>body { font: 1.1rem/1.6 system-ui, sans-serif; margin: 3rem auto; max-width: 40rem; padding: 0 1rem } b { font-size: 4rem }</style>
</head>
<body>
<p>Your session has counted to</p>
<p><b id="count"><%= count %></b></p>
<p>This page was made by <strong id="node"><%= node %></strong>. Session <code><%= session.getId() %></code>,
   state of the node for the balancer: <code><%= request.getAttribute("JK_LB_ACTIVATION") %></code>.</p>
<p>Kill <%= node %> and <a href="./">count again</a>: another node goes on with the same number.</p>
</body>
</html>
