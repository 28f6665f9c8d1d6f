import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;

/** Sessions in memcached, over its text protocol. */
public class MemcachedStore extends BytesStore {
    @Override
    protected byte[] get(String key) throws IOException {
        try (Socket socket = connect()) {
            InputStream in = send(socket, ascii("get " + key + "\r\n"));
            String head = line(in);
            if (!head.startsWith("VALUE ")) {
                return null;
            }
            return exactly(in, Integer.parseInt(head.split(" ")[3]));
        }
    }

    @Override
    protected void set(String key, byte[] data, int seconds) throws IOException {
        ByteArrayOutputStream command = new ByteArrayOutputStream();
        command.write(ascii("set " + key + " 0 " + seconds + " " + data.length + "\r\n"));
        command.write(data);
        command.write(ascii("\r\n"));
        try (Socket socket = connect()) {
            String answer = line(send(socket, command.toByteArray()));
            if (!answer.equals("STORED")) {
                throw new IOException("memcached: " + answer);
            }
        }
    }

    @Override
    protected void delete(String key) throws IOException {
        try (Socket socket = connect()) {
            line(send(socket, ascii("delete " + key + "\r\n")));
        }
    }

    private static InputStream send(Socket socket, byte[] command) throws IOException {
        socket.getOutputStream().write(command);
        return new BufferedInputStream(socket.getInputStream());
    }
}
