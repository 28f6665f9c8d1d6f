<%@ page contentType="application/octet-stream" session="false" trimDirectiveWhitespaces="true" %><%
  // n MiB (or octets=N): the same octets as pattern() of the test support. length=0 leaves Content-Length out.
  long left = request.getParameter("octets") != null ? Long.parseLong(request.getParameter("octets"))
      : Long.parseLong(request.getParameter("n")) << 20;
  if (!"0".equals(request.getParameter("length"))) response.setContentLengthLong(left);
  java.io.OutputStream stream = response.getOutputStream();
  long word = 0x9e3779b97f4a7c15L;
  byte[] block = new byte[7 * 4096];
  while (left > 0) {
    for (int at = 0; at < block.length; at += 7) {
      word = word * 0x5851f42d4c957f2dL + 0x14057b7ef767814fL;
      for (int i = 0; i < 7; i++) block[at + i] = (byte) (word >>> (8 + 8 * i));
    }
    int len = (int) Math.min(left, block.length);
    stream.write(block, 0, len);
    left -= len;
  }
  stream.close();
%>
