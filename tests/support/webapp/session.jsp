<%@ page contentType="text/plain; charset=UTF-8" trimDirectiveWhitespaces="true" %>
<%
  Integer before = (Integer) session.getAttribute("count");
  int count = before == null ? 1 : before + 1;
  session.setAttribute("count", count);
  out.println("count=" + count);
  out.println("id=" + session.getId());
  out.println("node=" + System.getProperty("test.node"));
  out.println("activation=" + request.getAttribute("JK_LB_ACTIVATION"));
%>
