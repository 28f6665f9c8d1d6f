import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import org.apache.catalina.Session;
import org.apache.catalina.session.StandardSession;
import org.apache.catalina.session.StoreBase;

/**
 * A session store over a server that keeps bytes under a key. Made for tests: one connection per operation.
 *
 * <p>The key is the session id without the route. A server that cannot be reached means no session, and never a failed request.
 */
public abstract class BytesStore extends StoreBase {
    private static final int TIMEOUT_MS = 2000;
    private static final int SHORTEST_LIFE_S = 60;

    private int port;

    public void setPort(int port) {
        this.port = port;
    }

    /** The bytes under the key, or null. */
    protected abstract byte[] get(String key) throws IOException;

    protected abstract void set(String key, byte[] data, int seconds) throws IOException;

    protected abstract void delete(String key) throws IOException;

    protected Socket connect() throws IOException {
        Socket socket = new Socket("127.0.0.1", port);
        socket.setSoTimeout(TIMEOUT_MS);
        return socket;
    }

    @Override
    public Session load(String id) throws ClassNotFoundException {
        ClassLoader before = manager.getContext().bind(false, null);
        try {
            byte[] data = get(key(id));
            if (data == null) {
                return null;
            }
            try (ObjectInputStream in = getObjectInputStream(new ByteArrayInputStream(data))) {
                StandardSession session = (StandardSession) manager.createEmptySession();
                session.readObjectData(in);
                session.setManager(manager);
                return session;
            }
        } catch (IOException e) {
            complain(e);
            return null;
        } finally {
            manager.getContext().unbind(false, before);
        }
    }

    @Override
    public void save(Session session) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try {
            try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
                ((StandardSession) session).writeObjectData(out);
            }
            int life = Math.max(SHORTEST_LIFE_S, session.getMaxInactiveInterval());
            set(key(session.getIdInternal()), bytes.toByteArray(), life);
        } catch (IOException e) {
            complain(e);
        }
    }

    @Override
    public void remove(String id) {
        try {
            delete(key(id));
        } catch (IOException e) {
            complain(e);
        }
    }

    /** The server forgets sessions by itself, so Tomcat is told of none to look after. */
    @Override
    public String[] keys() {
        return new String[0];
    }

    @Override
    public int getSize() {
        return 0;
    }

    @Override
    public void clear() {
        // As above.
    }

    private void complain(IOException cause) {
        manager.getContext().getLogger().warn("session store: " + cause);
    }

    private static String key(String id) {
        int dot = id.indexOf('.');
        return "session:" + (dot < 0 ? id : id.substring(0, dot));
    }

    /** A line without its end. */
    protected static String line(java.io.InputStream in) throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        for (int octet = in.read(); octet != '\n'; octet = in.read()) {
            if (octet < 0) {
                throw new java.io.EOFException("the store closed the connection");
            }
            if (octet != '\r') {
                line.write(octet);
            }
        }
        return line.toString(StandardCharsets.US_ASCII);
    }

    protected static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    protected static byte[] exactly(java.io.InputStream in, int octets) throws IOException {
        byte[] data = in.readNBytes(octets);
        if (data.length < octets) {
            throw new java.io.EOFException("the store closed the connection");
        }
        return data;
    }
}
