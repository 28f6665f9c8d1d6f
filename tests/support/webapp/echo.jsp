<%@ page contentType="text/plain; charset=UTF-8" session="false" import="java.util.*" trimDirectiveWhitespaces="true" %>
<%
  out.println("method=" + request.getMethod());
  out.println("protocol=" + request.getProtocol());
  out.println("scheme=" + request.getScheme());
  out.println("is_ssl=" + request.isSecure());
  out.println("uri=" + request.getRequestURI());
  out.println("url=" + request.getRequestURL());
  out.println("query=" + request.getQueryString());
  out.println("remote_addr=" + request.getRemoteAddr());
  out.println("remote_host=" + request.getRemoteHost());
  out.println("remote_port=" + request.getRemotePort());
  out.println("remote_user=" + request.getRemoteUser());
  out.println("auth_type=" + request.getAuthType());
  out.println("server_name=" + request.getServerName());
  out.println("server_port=" + request.getServerPort());
  out.println("local_addr=" + request.getLocalAddr());
  out.println("local_port=" + request.getLocalPort());
  for (String name : Collections.list(request.getHeaderNames()))
    for (String value : Collections.list(request.getHeaders(name)))
      out.println("header." + name.toLowerCase(Locale.ROOT) + "=" + value);
  for (String name : Collections.list(request.getAttributeNames()))
    out.println("attribute." + name + "=" + request.getAttribute(name));
  // Tomcat does not list the attributes that come from the connector, but answers when asked for one by name.
  String wanted = request.getParameter("attribute");
  if (wanted != null) out.println("wanted=" + request.getAttribute(wanted));
  if (request.getParameter("param") != null) out.println("param=" + request.getParameter("param"));
%>
