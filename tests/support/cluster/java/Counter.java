import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpSession;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * What the cluster tests ask a node, as lines "name=value".
 *
 * <p>/count: counts in the session. /peek: looks at the session and makes none. /node/*: uses no session.
 * slow=MS waits first, and the fact "waiting" tells how many requests do. /redirect: redirects to count, with host and scheme as Tomcat was told them. /fail: throws.
 */
public class Counter extends HttpServlet {
    private static final long serialVersionUID = 1L;
    private static final AtomicInteger WAITING = new AtomicInteger();

    @Override
    protected void service(HttpServletRequest request, HttpServletResponse response) throws IOException {
        String path = request.getServletPath();
        if (path.equals("/redirect")) {
            response.sendRedirect(request.getRequestURL().toString().replace("/redirect", "/count"));
            return;
        }
        if (path.equals("/fail")) {
            throw new IllegalStateException("as ordered");
        }
        String slow = request.getParameter("slow");
        if (slow != null) {
            WAITING.incrementAndGet();
            try {
                Thread.sleep(Long.parseLong(slow));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            } finally {
                WAITING.decrementAndGet();
            }
        }
        HttpSession session = path.equals("/node") ? null : request.getSession(path.equals("/count"));
        Object count = null;
        if (session != null) {
            Integer before = (Integer) session.getAttribute("count");
            count = before;
            if (path.equals("/count")) {
                count = before == null ? 1 : before + 1;
                session.setAttribute("count", count);
            }
        }
        response.setContentType("text/plain; charset=UTF-8");
        PrintWriter out = response.getWriter();
        out.println("node=" + System.getProperty("test.node"));
        out.println("count=" + count);
        out.println("id=" + (session == null ? "none" : session.getId()));
        out.println("link=" + response.encodeURL("count"));
        out.println("activation=" + request.getAttribute("JK_LB_ACTIVATION"));
        out.println("waiting=" + WAITING.get());
        out.println("url=" + request.getRequestURL());
        out.println("remote_addr=" + request.getRemoteAddr());
    }
}
