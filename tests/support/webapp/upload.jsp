<%@ page contentType="text/plain; charset=UTF-8" session="false" trimDirectiveWhitespaces="true" %>
<%
  java.security.MessageDigest digest = java.security.MessageDigest.getInstance("SHA-256");
  byte[] block = new byte[65536];
  long length = 0;
  java.io.InputStream body = request.getInputStream();
  for (int got; (got = body.read(block)) >= 0; length += got) digest.update(block, 0, got);
  out.println("length=" + length);
  out.println("sha256=" + java.util.HexFormat.of().formatHex(digest.digest()));
%>
