import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;

/** Sessions in Redis, over its protocol RESP. */
public class RedisStore extends BytesStore {
    @Override
    protected byte[] get(String key) throws IOException {
        return call(ascii("GET"), ascii(key));
    }

    @Override
    protected void set(String key, byte[] data, int seconds) throws IOException {
        call(ascii("SET"), ascii(key), data, ascii("EX"), ascii(Integer.toString(seconds)));
    }

    @Override
    protected void delete(String key) throws IOException {
        call(ascii("DEL"), ascii(key));
    }

    /** The bulk string of the answer; null when there is none. */
    private byte[] call(byte[]... words) throws IOException {
        ByteArrayOutputStream command = new ByteArrayOutputStream();
        command.write(ascii("*" + words.length + "\r\n"));
        for (byte[] word : words) {
            command.write(ascii("$" + word.length + "\r\n"));
            command.write(word);
            command.write(ascii("\r\n"));
        }
        try (Socket socket = connect()) {
            socket.getOutputStream().write(command.toByteArray());
            InputStream in = new BufferedInputStream(socket.getInputStream());
            String head = line(in);
            if (head.startsWith("-")) {
                throw new IOException("Redis: " + head);
            }
            if (!head.startsWith("$") || head.equals("$-1")) {
                return null;
            }
            return exactly(in, Integer.parseInt(head.substring(1)));
        }
    }
}
