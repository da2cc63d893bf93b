def norms(X):
    print("<script>alert(1)</script><img src=x onerror=alert(1)>")
    raise ValueError("</pre><script>alert(1)</script>")
